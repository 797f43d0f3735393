-- The products that the store holds differently: updated, withdrawn, or put on sale again.
WITH compared AS (
    SELECT
        items.*, held.status, held.sku AS held_sku, held.regular_price AS held_regular_price, held.global_unique_id,
        sale_changes(held, items) AS sale_fields, held.purchase_price AS held_purchase_price, held.cost_of_goods_sold,
        held.has_cost_of_goods, held.attributes AS held_attributes,
        CASE held.tax_class WHEN 'parent' THEN parent.tax_class ELSE held.tax_class END AS held_tax_class,
        -- Stock counts products by their code and type: what it does not find, or does not count, becomes a draft.
        keeps_no_stock(items.product_type) OR (sku_key(held.sku) IS DISTINCT FROM items.sku_key) AS cannot_run_out,
        CASE
            WHEN NOT for_sale
                AND held.status IN ('publish', 'future')
                AND ($inactive_products = 'draft' OR ($inactive_products = 'out_of_stock' AND cannot_run_out))
                THEN CASE items.kind WHEN 'variation' THEN 'private' ELSE 'draft' END
            WHEN for_sale AND held.status = 'trash'
                THEN CASE items.kind WHEN 'variation' THEN 'publish' ELSE $new_product_status END
            WHEN for_sale AND status_before IS NOT NULL AND held.status IN ('draft', 'private')
                THEN CASE status_before WHEN 'future' THEN 'publish' ELSE status_before END
            ELSE held.status
        END AS wanted_status,
        -- A page in the bin gets no stock: it comes back empty, and the balances follow.
        for_sale AND held.status = 'trash' AND NOT keeps_no_stock(items.product_type) AS comes_back_empty,
        coalesce(held.manage_stock, FALSE) AS manage_stock, held.stock_quantity,
        choices,
        items.kind = 'variation'
        AND (items.parent_id IS NOT DISTINCT FROM items.model_parent_id)
        AND is_told_apart
        AND coalesce(differs, FALSE) AS moved
    FROM items
    LEFT JOIN choices USING (sku_key)
    JOIN held ON held.id = items.woo_id
    LEFT JOIN held AS parent ON parent.id = held.parent_id
    WHERE
        held.type NOT IN ('variable', 'grouped')
        AND NOT (held.status = 'trash' AND (NOT for_sale OR $binned_products = 'leave'))
        AND CASE coalesce(page, 'goes on')
            WHEN 'goes on' THEN TRUE
            WHEN 'stays' THEN FALSE
            -- A gift card that the store made itself is none of ours.
            ELSE matched_by = 'link' OR (verdict = 'quarantine' AND matched_by = 'SKU')
        END
),

fields AS (
    SELECT
        *,
        changed([change('status', status, wanted_status)] || CASE
            WHEN NOT for_sale THEN [change('sku', held_sku, coalesce(sku_to_give_way, held_sku))]
            ELSE [
                change('sku', held_sku, sku),
                change('regular_price', coalesce(price_text(held_regular_price), ''), price_text(regular_price)),
                change(
                    'tax_class', held_tax_class, CASE WHEN tax_class_is_known THEN tax_class ELSE held_tax_class END
                ),
                change(
                    'global_unique_id',
                    coalesce(global_unique_id, ''),
                    coalesce(CASE WHEN NOT gtin_is_taken THEN gtin END, global_unique_id, '')
                ),
                change('manage_stock', manage_stock, manage_stock OR comes_back_empty),
                change('stock_quantity', stock_quantity, CASE WHEN comes_back_empty THEN 0 ELSE stock_quantity END),
                change('_solteq_purchase_price', held_purchase_price, price_text(purchase_price)),
                change('cost_of_goods_sold', price_text(cost_of_goods_sold), price_text(
                    CASE
                        WHEN has_cost_of_goods AND purchase_price IS NOT NULL THEN purchase_price
                        ELSE cost_of_goods_sold
                    END
                )),
                change(
                    'attributes',
                    CASE
                        WHEN moved
                            THEN list_transform(
                                held_attributes, lambda each: {'name': each.name, 'option': each.options[1]}
                            )::JSON
                    END,
                    CASE WHEN moved THEN choices END
                )
            ] || sale_fields
        END) AS changes
    FROM compared
)

SELECT
    sku AS key,
    CASE
        WHEN NOT for_sale AND (sku_to_give_way IS NULL OR status IN ('publish', 'future')) THEN 'withdraw'
        WHEN wanted_status <> status THEN 'restore'
        ELSE 'update'
    END AS action,
    kind, woo_id,
    CASE kind WHEN 'variation' THEN model_number END AS parent_key,
    parent_id, changes,
    CASE
        WHEN sku_to_give_way = '' THEN 'its code is another product''s in Solteq now'
        WHEN deleted THEN 'deleted in Solteq'
        WHEN NOT on_sale THEN 'inactive in Solteq'
        WHEN NOT for_sale THEN verdict_reason
        WHEN status = 'trash' THEN 'in the store''s bin, on sale in Solteq'
        WHEN wanted_status <> status THEN 'on sale in Solteq again'
        WHEN matched_by = 'GTIN' THEN 'found in the store by its GTIN'
        ELSE 'differs from Solteq'
    END AS reason
FROM fields
WHERE len(changes) > 0

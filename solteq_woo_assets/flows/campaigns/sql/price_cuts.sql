-- Which rows cut a price, how many products are cut within the window, and which would be sold below what they cost.
WITH settled AS (
    SELECT sent.key
    FROM sync.deliveries AS sent JOIN sync.comparisons USING (flow)
    WHERE flow = $other_flow AND state <> 'pending' AND created_at >= computed_at
),

due AS (
    SELECT key, woo_id, changes, TRUE AS is_own FROM own
    UNION ALL
    -- What the other flow's last comparison is about to write, or would if it were not stopped.
    SELECT key, woo_id, changes, FALSE FROM others ANTI JOIN settled USING (key)
),

changed AS (
    SELECT
        key, woo_id, is_own,
        map_from_entries(list_transform(changes, lambda c: (c.field, c.new))) AS new
    FROM due WHERE has_prices(changes)
),

writes AS MATERIALIZED (
    SELECT woo_id, created_at, delivery_id, changes
    FROM sync.deliveries
    WHERE created_at >= $begin AND flow IN ('products', 'campaigns') AND action <> 'create' AND woo_id IS NOT NULL
        AND has_prices(changes)
),

let_pass AS (
    SELECT woo_id, max(created_at) AS passed_at
    FROM writes WHERE delivery_id IN (FROM passed) GROUP BY woo_id
),

written AS (
    SELECT woo_id, created_at, passed_at, unnest(changes) AS change
    FROM writes LEFT JOIN let_pass USING (woo_id)
    WHERE created_at > passed_at OR passed_at IS NULL
),

-- What a shopper would pay now if nothing had been sent within the window, by what each field was before its first
-- write in it. After a write that somebody let pass, the most since then: it was let pass once, and not once more.
first_held AS (
    SELECT
        woo_id, change.field AS field,
        arg_max(coalesce(change.old, ''), CASE
            WHEN passed_at IS NULL OR change.field LIKE 'date%' THEN -epoch(created_at)
            WHEN change.field = 'sale_price' THEN coalesce(nullif(change.old, '')::DOUBLE, 'inf'::DOUBLE)
            ELSE coalesce(nullif(change.old, '')::DOUBLE, 0)
        END) AS was
    FROM written WHERE list_contains(price_fields(), change.field) GROUP BY ALL
),

before AS (
    SELECT woo_id, map_from_entries(list((field, was))) AS was FROM first_held GROUP BY woo_id
),

held AS (
    SELECT item.*, before.woo_id IS NOT NULL AS is_sent, before.was
    FROM snapshot.woo_catalogue AS item LEFT JOIN before ON before.woo_id = item.id
    WHERE before.woo_id IS NOT NULL OR id IN (SELECT woo_id FROM changed)
),

once AS (
    SELECT
        id, money_or(was, 'regular_price', regular_price) AS regular_price,
        money_or(was, 'sale_price', sale_price) AS sale_price,
        time_or(was, 'date_on_sale_from_gmt', date_on_sale_from_gmt) AS date_on_sale_from_gmt,
        time_or(was, 'date_on_sale_to_gmt', date_on_sale_to_gmt) AS date_on_sale_to_gmt
    FROM held
),

paid AS (
    SELECT
        id,
        CASE
            WHEN id IN (SELECT woo_id FROM let_pass)
                THEN greatest(public_price(once, $now), public_price(held, $now))
            ELSE public_price(once, $now)
        END AS price
    FROM once JOIN held USING (id)
),

becomes AS (
    SELECT
        key, woo_id, is_own, money_or(new, 'regular_price', regular_price) AS regular_price,
        money_or(new, 'sale_price', sale_price) AS sale_price,
        time_or(new, 'date_on_sale_to_gmt', date_on_sale_to_gmt) AS date_on_sale_to_gmt
    FROM changed LEFT JOIN held ON held.id = changed.woo_id
    UNION ALL
    SELECT NULL, id, FALSE, regular_price, sale_price, date_on_sale_to_gmt
    FROM held
    WHERE is_sent AND id NOT IN (SELECT woo_id FROM changed WHERE is_own AND woo_id IS NOT NULL)
),

judged AS (
    SELECT
        key, woo_id, is_own,
        -- The lowest price that a row has from now on, in a window to come too.
        CASE
            WHEN sale_price < regular_price AND coalesce(date_on_sale_to_gmt + INTERVAL 1 SECOND > $now, TRUE)
                THEN sale_price
            ELSE regular_price
        END AS new_price,
        new_price < paid.price * (100 - $percent) * 0.01 AS is_cut
    FROM becomes LEFT JOIN paid ON paid.id = becomes.woo_id
),

purchases AS (
    SELECT sku_key(code) AS sku, min(purchase_price) AS purchase_price
    FROM snapshot.solteq_products WHERE active AND NOT deleted GROUP BY ALL
)

SELECT
    list(key ORDER BY key) FILTER (is_own AND is_cut) AS cut, count(DISTINCT woo_id) FILTER (is_cut) AS cut_in_all,
    count(DISTINCT woo_id) FILTER (is_own AND is_cut) AS cut_here,
    list(key ORDER BY key) FILTER (is_own AND new_price < purchase_price) AS below_purchase_price,
    (SELECT count(*) FROM snapshot.woo_catalogue WHERE regular_price > 0 AND status <> 'trash') AS products
FROM judged LEFT JOIN purchases ON purchases.sku = sku_key(key)

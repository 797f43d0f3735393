-- The changes of linked customers for the store.
WITH told AS (
    SELECT
        solteq_id, woo_id,
        list_transform(for_woo, lambda each: change(each.field, each.woo, each.solteq)) AS changes,
        list_transform(
            list_filter(for_woo, lambda each: each.whose = 'both'),
            lambda each: {'field': each.field, 'kept': each.solteq, 'lost': each.woo}
        ) AS conflicts,
        list_transform(
            list_filter(named_countries, lambda each:
                NOT list_contains(list_transform(for_woo, lambda told: told.field), each.field)),
            lambda each: change(each.field, each.value, each.value)
        ) AS spelled,
        -- The names and the e-mail on the invoice and the parcel follow the person's, unless they are somebody else's.
        list_transform(
            list_filter(
                list_transform([
                    {'field': 'email', 'copy': 'billing_email', 'value': billing_email},
                    {'field': 'first_name', 'copy': 'billing_first_name', 'value': billing_first_name},
                    {'field': 'last_name', 'copy': 'billing_last_name', 'value': billing_last_name},
                    {'field': 'first_name', 'copy': 'shipping_first_name', 'value': shipping_first_name},
                    {'field': 'last_name', 'copy': 'shipping_last_name', 'value': shipping_last_name}
                ], lambda each: {
                    'copy': each.copy, 'value': each.value,
                    'told': list_filter(for_woo, lambda told: told.field = each.field)[1]
                }),
                lambda each: each.value <> '' AND lower(each.value) = lower(
                    CASE WHEN is_intermediate(each.told.woo) THEN each.told.agreed ELSE each.told.woo END
                )
            ),
            lambda each: change(each.copy, each.value, each.told.solteq)
        ) AS following,
        changed([change('solteq_customer_id', held_solteq_id, solteq_id)]) AS numbered
    FROM differing
)

SELECT
    solteq_id AS key, 'update' AS action, 'customer' AS kind, woo_id, NULL AS parent_key, NULL AS parent_id,
    changes || spelled || following || numbered AS changes,
    CASE
        WHEN len(told.changes) > 0 THEN reason_of('Solteq', told.changes, conflicts)
        ELSE 'the store has a country''s name where its code is due'
    END AS reason,
    solteq_id, conflicts
FROM told
WHERE len(told.changes) + len(spelled) > 0

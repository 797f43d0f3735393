-- The changes of linked accounts for Solteq.
WITH told AS (
    SELECT
        solteq_id, woo_id,
        list_transform(for_solteq, lambda each: change(each.field, each.solteq, each.woo)) AS changes,
        list_transform(
            list_filter(for_solteq, lambda each: each.whose = 'both'),
            lambda each: {'field': each.field, 'kept': each.woo, 'lost': each.solteq}
        ) AS conflicts
    FROM differing
    WHERE len(for_solteq) > 0
)

SELECT
    woo_id::VARCHAR AS key, 'update' AS action, 'customer' AS kind, woo_id, NULL AS parent_key, NULL AS parent_id,
    changes, reason_of('the store', changes, conflicts) AS reason, solteq_id, conflicts
FROM told

-- Customers to make in Solteq, of guests who ordered.
SELECT
    'order ' || order_id AS key, 'create' AS action, 'customer' AS kind, NULL AS woo_id, NULL AS parent_key,
    NULL AS parent_id,
    [change('type', NULL, 'Private'), change('external_id', NULL, 'woo:' || $shop || ':guest:' || order_id)]
    || new_person(guests) AS changes,
    'a guest who ordered' AS reason, NULL AS solteq_id, [] AS conflicts
FROM guests

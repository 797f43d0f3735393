-- The products that are sold in Solteq.
SELECT
    row_number() OVER ()::INTEGER AS product, id, code, model_number, product_group, supplier, sales_price,
    max_discount_percent, discounted_price
FROM products WHERE active AND NOT deleted

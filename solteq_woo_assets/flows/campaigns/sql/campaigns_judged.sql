-- What each campaign means: when it is valid, or why it sets no price in the store.
WITH plain AS (
    SELECT
        campaigns.* REPLACE (coalesce(nullif(trim(name), ''), id) AS name),
        coalesce(opening.utc, '-infinity'::TIMESTAMP) AS starts,
        coalesce(closing.utc, 'infinity'::TIMESTAMP) AS ends,
        plain_word(type) AS plain_type, plain_word(level) AS plain_level,
        plain_word(discount_type) AS plain_discount_type,
        list_distinct(
            list_transform(list_filter(targets, lambda t: trim(t) <> ''), lambda t: sku_key(t))
        ) AS target_keys,
        coalesce(len(valid_days), 0) > 0 OR valid_hours_from IS NOT NULL AS recurs,
        list_filter(unknown_fields, lambda f: NOT list_contains($harmless_fields, lower(f))) AS restrictions
    FROM campaigns
    LEFT JOIN instants AS opening ON opening.local = valid_from
    LEFT JOIN instants AS closing ON closing.local = valid_to
),

judged AS (
    SELECT
        *,
        CASE
            WHEN deleted THEN campaign_verdict('off', 'deleted', 'it is deleted', '')
            WHEN NOT active THEN campaign_verdict('off', 'active', 'it is not active', '')
            WHEN plain_type <> 'simple'
                THEN campaign_verdict('skip', 'type', 'it cannot be expressed as a discount price (' || type || ')', '')
            WHEN len(customer_groups) + len(customers) > 0
                THEN campaign_verdict('skip', 'customerGroups', 'it is for certain customers only, not public', '')
            WHEN len(store_ids) > 0 AND NOT list_contains(list_transform(store_ids, lambda s: trim(s)), $web_store)
                THEN campaign_verdict(
                    'skip', 'storeIds', 'it is for other stores (' || array_to_string(store_ids, ', ') || ')', ''
                )
            WHEN len(restrictions) > 0
                THEN campaign_verdict(
                    'skip', restrictions[1],
                    'it is restricted in a way that cannot be expressed: ' || array_to_string(restrictions, ', '),
                    ''
                )
            WHEN plain_level NOT IN ('product', 'productgroup', 'supplier')
                THEN campaign_verdict('quarantine', 'level', 'the level is not known', 'campaign-level-unknown')
            WHEN coalesce(plain_discount_type, '') NOT IN ('percentage', 'amount', 'fixedprice')
                THEN campaign_verdict(
                    'quarantine', 'discountType', 'the kind of discount is not known', 'campaign-discount-unknown'
                )
            WHEN coalesce(value, 0) <= 0
                THEN campaign_verdict('quarantine', 'value', 'the discount is not above 0', 'campaign-without-value')
            WHEN plain_discount_type = 'percentage' AND value > 100
                THEN campaign_verdict(
                    'quarantine', 'value', 'more than 100 % cannot be taken off', 'campaign-over-100-percent'
                )
            WHEN valid_to <= valid_from
                THEN campaign_verdict(
                    'quarantine', 'validTo', 'it ends before it begins', 'campaign-ends-before-it-begins'
                )
            WHEN len(target_keys) = 0
                THEN campaign_verdict(
                    'quarantine', 'targets', 'it says for nothing what it is for', 'campaign-without-targets'
                )
            WHEN ends <= starts OR recurs AND id NOT IN (SELECT id FROM recurring)
                THEN campaign_verdict(
                    'quarantine',
                    CASE WHEN recurs THEN 'validDays' ELSE 'validTo' END,
                    'none of its days and hours is between its beginning and its end',
                    'campaign-never-valid'
                )
        END AS verdict
    FROM plain
)

SELECT
    row_number() OVER (ORDER BY priority DESC, id) AS position,  -- of two equal prices the first one's is named
    id,
    name,
    -- What a campaign of an unknown level names is looked for among the products, so that it can be told.
    CASE WHEN plain_level IN ('productgroup', 'supplier') THEN plain_level ELSE 'product' END AS level,
    target_keys, plain_discount_type AS discount_type, value,
    CASE $campaign_choice WHEN 'priority' THEN priority ELSE 0 END AS rank,
    starts, ends, recurs,
    concat_ws(
        ' ',
        CASE WHEN len(valid_days) > 0 THEN array_to_string(valid_days, ', ') END,
        left(valid_hours_from::VARCHAR, 5) || '–' || left(valid_hours_to::VARCHAR, 5)
    ) AS days_and_hours,
    verdict.*
FROM judged

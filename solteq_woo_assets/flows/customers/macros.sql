-- Words of the customers' flow.

-- The names of what both systems hold of a person: PERSON_FIELDS of people.py.
CREATE OR REPLACE TEMP MACRO person_fields() AS [
    'email', 'first_name', 'last_name', 'company_name', 'tax_code', 'phone',
    'billing_street', 'billing_street2', 'billing_postal_code', 'billing_city', 'billing_country',
    'delivery_street', 'delivery_street2', 'delivery_postal_code', 'delivery_city', 'delivery_country'
];

-- A side's data of a person, in the order of person_fields(). A field that it does not mention is as was agreed.
CREATE OR REPLACE TEMP MACRO person(side, phone, agreed, missing) AS [
    coalesce(side.email, agreed.email, missing),
    coalesce(side.first_name, agreed.first_name, missing),
    coalesce(side.last_name, agreed.last_name, missing),
    coalesce(side.company_name, agreed.company_name, missing),
    coalesce(side.tax_code, agreed.tax_code, missing),
    coalesce(phone, agreed.phone, missing),
    coalesce(side.billing_street, agreed.billing_street, missing),
    coalesce(side.billing_street2, agreed.billing_street2, missing),
    coalesce(side.billing_postal_code, agreed.billing_postal_code, missing),
    coalesce(side.billing_city, agreed.billing_city, missing),
    coalesce(side.billing_country, agreed.billing_country, missing),
    coalesce(side.delivery_street, agreed.delivery_street, missing),
    coalesce(side.delivery_street2, agreed.delivery_street2, missing),
    coalesce(side.delivery_postal_code, agreed.delivery_postal_code, missing),
    coalesce(side.delivery_city, agreed.delivery_city, missing),
    coalesce(side.delivery_country, agreed.delivery_country, missing)
];

-- The changes that make a new person of all that a side says.
CREATE OR REPLACE TEMP MACRO new_person(side) AS list_transform(
    list_filter(list_zip(person_fields(), person(side, side.phone, side, NULL)), lambda each: each[2] <> ''),
    lambda each: change(each[1], NULL, each[2])
);

-- A value that can be parsed. One that cannot is as if the side did not mention it.
CREATE OR REPLACE TEMP MACRO if_parsed(field, value, unparsed) AS
    CASE WHEN NOT list_contains(unparsed, field) THEN value END;

-- The rows of a side, which is the name of a table, without values that cannot be parsed. unparsed: those fields, and
-- others that go as they are.
CREATE OR REPLACE TEMP MACRO parsed(side) AS TABLE
SELECT
    * REPLACE (
        if_parsed('email', email, unparsed) AS email,
        if_parsed('tax_code', tax_code, unparsed) AS tax_code,
        if_parsed('billing_country', billing_country, unparsed) AS billing_country,
        if_parsed('delivery_country', delivery_country, unparsed) AS delivery_country
    )
FROM (
    SELECT
        *,
        list_transform(coalesce(remarks, []), lambda remark: split_part(remark, ' ', 1)) AS unparsed
    FROM query_table(side)
) AS remarked;

-- The form of a value that is compared: shops write e-mail addresses and postal codes in more than one way.
CREATE OR REPLACE TEMP MACRO comparable(field, value) AS CASE
    WHEN field = 'email' THEN lower(value)
    WHEN ends_with(field, '_postal_code') THEN replace(upper(value), ' ', '')
    ELSE value
END;

-- Whether two values of a field say the same. NULL when there is one alone.
CREATE OR REPLACE TEMP MACRO agree(field, one, other) AS
    one = other OR comparable(field, one) = comparable(field, other);

-- Whether both sides fill a field, and differently; for the e-mail address also whether one lacks it.
CREATE OR REPLACE TEMP MACRO contradict(field, one, other) AS CASE
    WHEN field = 'email' THEN coalesce(one, '') = '' OR agree(field, one, other) IS NOT TRUE
    ELSE coalesce(one <> '' AND other <> '' AND NOT agree(field, one, other), FALSE)
END;

-- Whether an e-mail address is one that an interrupted run left behind: intermediate() of engine/handover.py.
CREATE OR REPLACE TEMP MACRO is_intermediate(email) AS email LIKE 'moving-%@solteq-woo.invalid';

-- The side whose value of a field counts: solteq, woo, same, or both when both have changed it.
CREATE OR REPLACE TEMP MACRO whose(field, type, solteq, woo, agreed) AS CASE
    WHEN agree(field, solteq, woo) THEN 'same'
    -- An account cannot be without an e-mail address.
    WHEN field = 'email' AND is_intermediate(woo) THEN 'solteq'
    WHEN field = 'email' AND solteq = '' THEN CASE WHEN agree(field, woo, agreed) THEN 'same' ELSE 'woo' END
    -- A company cannot be without these two.
    WHEN field IN ('company_name', 'tax_code') AND type = 'Company' AND woo = '' THEN 'solteq'
    WHEN field IN ('company_name', 'tax_code') AND type = 'Company' AND solteq = '' THEN 'woo'
    WHEN agreed IS NULL AND woo = '' THEN 'solteq'
    WHEN agreed IS NULL AND solteq = '' THEN 'woo'
    WHEN agree(field, solteq, agreed) THEN 'woo'
    WHEN agree(field, woo, agreed) THEN 'solteq'
    ELSE 'both'
END;

-- Whether an account is written to. Another e-mail address would hand a staff account over.
CREATE OR REPLACE TEMP MACRO is_shopper(role) AS role IN ('customer', 'subscriber');

-- The ExternalID of an account.
CREATE OR REPLACE TEMP MACRO external_id(shop, woo_id) AS 'woo:' || shop || ':customer:' || woo_id;

-- Whether a customer without an account is to get one.
CREATE OR REPLACE TEMP MACRO gets_account(who, chosen_groups, customer_groups) AS CASE who
    WHEN 'all' THEN TRUE
    WHEN 'groups' THEN list_has_any(list_transform(customer_groups, lambda each: lower(trim(each))), chosen_groups)
    ELSE FALSE
END;

-- Why a side is told something, and whose value counts where both sides had changed a field.
CREATE OR REPLACE TEMP MACRO reason_of(teller, changes, conflicts) AS
    teller || ' has ' || array_to_string(list_transform(changes, lambda each: each.field), ', ')
    || CASE WHEN len(conflicts) > 0
        THEN '; both sides have changed ' || array_to_string(list_transform(conflicts, lambda each: each.field), ', ')
            || ': the value of ' || teller || ' counts, the other one is kept in conflicts'
        ELSE ''
    END;

-- Whether one of these changes is from or to a text. Case does not count.
CREATE OR REPLACE TEMP MACRO says(changes, who) AS
    list_contains(list_transform(flatten([[c.old, c.new] FOR c IN changes]), lambda value: lower(value)), lower(who));

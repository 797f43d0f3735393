-- The values that both sides agree on by now, for links where they changed: person in the order of person_fields().
WITH compared AS (
    SELECT
        solteq_id, woo_id, agreed, agreed_solteq_phone_text, agreed_woo_phone_text,
        CASE
            WHEN solteq = woo THEN solteq
            ELSE list_transform(
                list_zip(person_fields(), solteq, woo, agreed),
                lambda each: CASE WHEN agree(each[1], each[2], each[3]) THEN each[2] ELSE each[4] END
            )
        END AS person,
        solteq[list_position(person_fields(), 'phone')] = woo[list_position(person_fields(), 'phone')] AS has_one_phone,
        CASE WHEN has_one_phone THEN solteq_phone_text ELSE agreed_solteq_phone_text END AS solteq_phone_text,
        CASE WHEN has_one_phone THEN woo_phone_text ELSE agreed_woo_phone_text END AS woo_phone_text
    FROM pairs
)

SELECT solteq_id, woo_id, person, solteq_phone_text, woo_phone_text
FROM compared
WHERE
    person <> agreed
    OR solteq_phone_text IS DISTINCT FROM agreed_solteq_phone_text
    OR woo_phone_text IS DISTINCT FROM agreed_woo_phone_text

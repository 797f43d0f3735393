-- Each name and option of an attribute in the documents.
WITH given AS (
    SELECT unnest(attributes) AS attribute FROM documents
)

SELECT DISTINCT unnest([attribute.name, attribute.option]) AS word FROM given

UPDATE sync.links
SET solteq_id = new_documents.id
FROM new_documents
WHERE links.kind = 'product' AND links.key = new_documents.key

SELECT DISTINCT code FROM new_documents ORDER BY code

-- Campaigns that make no sense.
SELECT id AS key, field, 'campaign ' || name || ': ' || reason AS reason, problem AS code
FROM campaigns_judged WHERE held = 'quarantine' AND ends > $now

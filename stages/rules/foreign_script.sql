-- What: responses that leave the scripts of English and mathematics, as R1 does when it mixes languages.
-- Grain: one row a rejected trace.
-- Params: $max_foreign_ratio (of characters; null = off).
-- Columns: trace_id.
select trace_id
from candidates
where foreign_ratio > $max_foreign_ratio

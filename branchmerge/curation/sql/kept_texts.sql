-- What: the responses of the traces kept, as a scan of their file: a join would not keep its order, nor be as fast.
-- Grain: one row a kept trace, in the order of the file, which is that of trace_id.
-- Reads: candidates, kept, traces (with file_row_number; audits/unsorted.sql holds them to the order).
-- Columns: trace_id, response.
with choice as (
    select string_agg(if(kept.trace_id is null, '0', '1'), '' order by candidates.trace_id)::bit as bits
    from candidates
    left join kept using (trace_id)
)
select trace_id, response
from traces
where get_bit((from choice), file_row_number::int) = 1

-- What: think tags that do not enclose one thought before one answer; with $require_thought also traces without any.
--       The opening tag may be missing, since a chat template may have put it into the prompt.
-- Grain: one row a rejected trace.
-- Params: $require_thought (whether there must be a thought; null = off).
-- Columns: trace_id.
with tagged as (
    select
        trace_id,
        string_split(response, '</think>') as parts,
        string_split(parts[1], '<think>') as before,
    from traces
    where $require_thought is not null
)
select trace_id
from tagged
where
    if(
        len(parts) = 1 and len(before) = 1,
        $require_thought,
        len(parts) <> 2
        or len(before) > 2
        or (len(before) = 2 and trim(before[1], E' \n\t\r') <> '')
        or trim(before[-1], E' \n\t\r') = ''
        or trim(parts[2], E' \n\t\r') = ''
        or contains(parts[2], '<think>')
    )

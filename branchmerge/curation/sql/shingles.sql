-- What: the words of each prompt that still has traces, in runs of three, hashed; numbers count, case, signs and looks do not.
-- Grain: one row a prompt.
-- Reads: prompts, candidates, rejected.
-- Columns: prompt_id, shingles (list of hashes, distinct, sorted).
with asked as (
    select prompt_id, regexp_extract_all(folded(question), '\p{Han}|\p{L}+|\p{N}+') as words
    from prompts
    semi join (from candidates anti join rejected using (trace_id)) using (prompt_id)
)
select
    prompt_id,
    list_sort(list_distinct([hash(words[i:i + 2]) for i in range(1, greatest(len(words) - 2, 1) + 1)])) as shingles,
from asked
order by prompt_id

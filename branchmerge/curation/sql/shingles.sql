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
    list_sort(list_distinct(case
        when len(words) < 3 then [hash(words)]
        -- lists side by side, so that time grows as the words do; a slice a run would copy them all
        else [hash([run[1], run[2], run[3]]) for run in list_zip(words, words[2:], words[3:], true)]
    end)) as shingles,
from asked
order by prompt_id

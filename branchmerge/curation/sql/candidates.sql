-- What: every trace with all that rules need. Its text is read once, here, since it is nearly all of the data.
-- Grain: one row a trace.
-- Reads: traces, verdicts, prompts, counts (views of the curate stage).
-- Columns: trace_id, prompt_id, source, sample_index, finish_reason, verdict, n_tokens, and of the response:
--   response_hash        equal texts, equal hash
--   thought              none, well formed or malformed: think tags enclose one thought before one answer; the opening
--                        tag may be missing, since a chat template may have put it into the prompt
--   foreign_ratio        characters of scripts other than Latin and Greek, of all
--   repeated_ratio       sentences and lines that were said before, of all
--   end_distinct_ratio   distinct words among the last 100; null where there are fewer
create table candidates as
with texts as (
    select
        trace_id,
        prompt_id,
        sample_index,
        finish_reason,
        response,
        string_split(replace(response, E'\n', '.'), '.') as sentences,
        -- 2,000 characters hold 100 words; right() would count all characters first
        string_split(replace(substring(response, -2000), E'\n', ' '), ' ')[-100:] as last_words,
    from traces
)
select
    texts.trace_id,
    texts.prompt_id,
    prompts.source,
    texts.sample_index,
    texts.finish_reason,
    verdicts.verdict,
    counts.n_tokens,
    hash(response) as response_hash,
    case
        when not contains(response, 'think>') then 'none'
        when
            not contains(response, '</think>')
            or response like '%</think>%</think>%'
            or response like '%<think>%<think>%'
            or response like '%</think>%<think>%'
            or (contains(response, '<think>') and not regexp_matches(response, '^\s*<think>'))
            or regexp_matches(response, '^\s*(<think>)?\s*</think>')
            or regexp_matches(substring(response, -1000), '</think>\s*$')
        then 'malformed'
        else 'well formed'
    end as thought,
    case
        when strlen(response) = length(response) then 0
        else length(regexp_replace(response, '[\p{Latin}\p{Greek}\P{L}]+', '', 'g')) / length(response)
    end as foreign_ratio,
    1 - list_unique([hash(sentence) for sentence in sentences]) / len(sentences) as repeated_ratio,
    case when len(last_words) = 100 then list_unique([hash(word) for word in last_words]) / 100 end as end_distinct_ratio,
from texts
join prompts using (prompt_id)
join verdicts using (trace_id)
join counts using (trace_id)

-- What: every trace with all that rules need but its text, which is in the view traces.
-- Grain: one row a trace.
-- Reads: traces, verdicts, prompts, counts (views of the curate stage).
-- Columns: trace_id, prompt_id, source, sample_index, finish_reason, verdict, n_tokens.
create table candidates as
select
    traces.trace_id,
    traces.prompt_id,
    prompts.source,
    traces.sample_index,
    traces.finish_reason,
    verdicts.verdict,
    counts.n_tokens,
from traces
join prompts using (prompt_id)
join verdicts using (trace_id)
join counts using (trace_id)
order by traces.trace_id

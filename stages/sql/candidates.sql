-- What: every trace with its verdict and its length, as the rules see it.
-- Grain: one row a trace.
-- Reads: traces, verdicts, prompts, lengths (tables of the curate stage).
-- Columns: trace_id, prompt_id, question, sample_index, response, reasoning, answer, finish_reason, verdict, n_tokens.
create table candidates as
select
    traces.trace_id,
    traces.prompt_id,
    prompts.question,
    traces.sample_index,
    traces.response,
    traces.reasoning,
    traces.answer,
    traces.finish_reason,
    verdicts.verdict,
    lengths.n_tokens,
from traces
join prompts using (prompt_id)
join verdicts using (trace_id)
join lengths using (trace_id)
order by traces.trace_id

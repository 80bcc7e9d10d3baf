-- What: prompts that hold a benchmark's question: enough of its runs of n words, or all of a shorter one. Words are
--       letters only, folded, so changed numbers, case, spaces and signs hide nothing, nor does text around it, nor
--       signs without width and letters that look alike.
-- Grain: one row a prompt and benchmark question.
-- Params: $contamination_words (words in a run; null = off), $min_contamination_ratio (share of a question's runs).
-- Reads: prompts, benchmarks (tables of the curate stage).
-- Columns: prompt_id, source, benchmark, question_id, overlap, question, benchmark_question.
create table hits as
with items as (
    select
        benchmark,
        prompt_id as question_id,
        question,
        regexp_extract_all(folded(question), '\p{Han}|\p{L}+') as words,
        [hash(word) for word in words] as hashes,  -- each word is in $contamination_words runs, but read once
    from benchmarks
    where $contamination_words is not null
),
asked as (
    select
        prompt_id,
        source,
        question,
        regexp_extract_all(folded(question), '\p{Han}|\p{L}+') as words,
        [hash(word) for word in words] as hashes,  -- each word is in $contamination_words runs, but read once
    from prompts
    where $contamination_words is not null
),
-- runs of twice the words are made of pairs of runs, so that time grows as the words do; a slice a run would copy them all
shifts as (
    select [
        [least(1 << k, $contamination_words - (1 << k))] for k in range(0, 31) if (1 << k) < $contamination_words
    ]::ubigint[][] as shifts,
),
item_runs as (
    select
        benchmark,
        question_id,
        unnest(list_distinct(list_reduce(
            shifts, lambda runs, shift: [hash(pair) for pair in list_zip(runs, runs[shift[1]::int + 1:], true)], hashes
        ))) as run,
    from items
    cross join shifts
),
item_sizes as (
    select benchmark, question_id, count(*) as n_runs
    from item_runs
    group by all
),
asked_runs as (
    select prompt_id, unnest(runs) as run, generate_subscripts(runs, 1) as position
    from (
        select
            prompt_id,
            list_reduce(
                shifts, lambda runs, shift: [hash(pair) for pair in list_zip(runs, runs[shift[1]::int + 1:], true)], hashes
            ) as runs,
        from asked
        cross join shifts
    )
),
shared as (
    select prompt_id, benchmark, question_id, count(distinct run) as n_shared, min(position) as position
    from asked_runs
    join item_runs using (run)
    group by all
),
long_hits as (
    select prompt_id, benchmark, question_id, position, $contamination_words as n_words
    from shared
    join item_sizes using (benchmark, question_id)
    where n_shared >= $min_contamination_ratio * n_runs
),
-- too few words for a run: equal as a whole; with its numbers where it has hardly a word
short_hits as (
    select asked.prompt_id, items.benchmark, items.question_id, 1 as position, len(items.words) as n_words
    from items
    join asked on items.words = asked.words
    where
        len(items.words) < $contamination_words
        and (len(items.words) >= 3 or
             regexp_extract_all(folded(items.question), '\p{L}+|\p{N}+') = regexp_extract_all(folded(asked.question), '\p{L}+|\p{N}+'))
)
select
    prompt_id,
    asked.source,
    benchmark,
    question_id,
    array_to_string(asked.words[position:position + n_words - 1], ' ') as overlap,
    asked.question,
    items.question as benchmark_question,
from (from long_hits union all from short_hits)
join asked using (prompt_id)
join items using (benchmark, question_id)
order by prompt_id, benchmark, question_id

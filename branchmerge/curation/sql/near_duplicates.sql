-- What: prompts that nearly repeat one of a lower prompt_id, among those that share a band of their MinHash digests.
-- Grain: one row a prompt that repeats another.
-- Params: $near_duplicate_similarity (Jaccard similarity of the shingles).
-- Reads: shingles (prompt_id, shingles), bands (prompt_id, band, digest).
-- Columns: prompt_id, twin_id (the most similar), similarity.
create table near_duplicates as
with meetings as (
    -- in a crowd, everyone is compared with the first only: pairs would be quadratic
    select distinct prompt_id, first_id
    from (select prompt_id, min(prompt_id) over (partition by band, digest) as first_id from bands)
    where prompt_id <> first_id
),
pairs as (
    select
        meetings.prompt_id,
        meetings.first_id as twin_id,
        len(list_intersect(one.shingles, other.shingles)) as n_shared,
        len(one.shingles) + len(other.shingles) as n_both,
    from meetings
    join shingles as one using (prompt_id)
    join shingles as other on other.prompt_id = meetings.first_id
)
select prompt_id, twin_id, n_shared / (n_both - n_shared) as similarity
from pairs
where similarity >= $near_duplicate_similarity
qualify row_number() over (partition by prompt_id order by similarity desc, twin_id) = 1

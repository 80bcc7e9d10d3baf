"""Where questions come from: generators, files, buckets, data sets of a hub."""

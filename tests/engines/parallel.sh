#!/bin/sh
# Four shards as jobs of GNU parallel, and the merged report run.json. For the test bench_shard_engines, and by hand:
#   parallel.sh MQTT PORT: the program, and the port of a broker on 127.0.0.1. Files go into the current folder.
set -u
mqtt=$1
port=$2
RUN=$(date +%s)-$$
PARALLEL_JOBS=4
export mqtt port RUN PARALLEL_JOBS
parallel -j4 '"$mqtt" bench -h 127.0.0.1 -p "$port" --publishers 8 --subscribers 8 --pattern all --rate 400/s --qos 1 --count 400 \
  --threads 1 --shard auto --run-id "$RUN" --barrier meet --allow-saturated --json > shard-{}.json' ::: 1 2 3 4
# Also if a shard has failed: the merged report names it, and has an exit status for it.
"$mqtt" bench merge shard-*.json -o run.json --allow-saturated --fail-if 'loss > 0'

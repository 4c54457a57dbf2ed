#!/bin/bash
# A Slurm of one node on 127.0.0.1, with a munge of its own, runs shards.sbatch. For the test bench_shard_engines, and by hand, as root:
#   slurm.sh MQTT PORT: the program, and the port of a broker on 127.0.0.1. Files go into the current folder.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
state=$(mktemp -d)
export MQTT=$1 BROKER=127.0.0.1 BROKER_PORT=$2 SLURM_CONF=$state/slurm.conf
started=()
stop() {
  for ((i = ${#started[@]} - 1; i >= 0; i--)); do
    kill "${started[i]}" 2>/dev/null || true
    wait "${started[i]}" 2>/dev/null || true
  done
  rm -rf "$state"
}
trap stop EXIT

# A port that nothing listens to now.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 10000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

# Asks until the answer is yes, for half a minute.
until_true() {
  local what=$1 limit=$((SECONDS + 30))
  shift
  until "$@" >"$state/answer" 2>&1; do
    if ((SECONDS > limit)); then
      echo "slurm.sh: $what: no answer in 30 s" >&2
      cat "$state/answer" "$state"/*.log >&2
      exit 1
    fi
    sleep 0.2
  done
}

mkdir "$state/save" "$state/spool" "$state/munge"
chmod 755 "$state"
chmod 711 "$state/munge"
head -c 1024 /dev/urandom >"$state/munge/key"
chmod 600 "$state/munge/key"
cat >"$SLURM_CONF" <<CONF
ClusterName=bench
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$state/munge/socket
StateSaveLocation=$state/save
SlurmdSpoolDir=$state/spool
SlurmctldPidFile=$state/slurmctld.pid
SlurmdPidFile=$state/slurmd.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SchedulerType=sched/builtin
SelectType=select/linear
SlurmdParameters=config_overrides
ReturnToService=2
NodeName=$(hostname -s) NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=bench Nodes=ALL Default=YES MaxTime=10 State=UP
CONF

munged=$(command -v munged || echo /usr/sbin/munged)
"$munged" --force --foreground --key-file "$state/munge/key" --socket "$state/munge/socket" --pid-file "$state/munge/pid" \
  --seed-file "$state/munge/seed" >"$state/munged.log" 2>&1 &
started+=($!)
until_true "munged" munge --socket "$state/munge/socket" --no-input
"$(command -v slurmctld || echo /usr/sbin/slurmctld)" -D -f "$SLURM_CONF" >"$state/slurmctld.log" 2>&1 &
started+=($!)
until_true "slurmctld" scontrol ping
"$(command -v slurmd || echo /usr/sbin/slurmd)" -D -f "$SLURM_CONF" >"$state/slurmd.log" 2>&1 &
started+=($!)
until_true "slurmd" bash -c '[ "$(sinfo -h -o %T)" = idle ]'

if ! sbatch --wait "$here/shards.sbatch"; then
  cat bench-*.log "$state"/slurm*.log >&2
  exit 1
fi
cat bench-*.log

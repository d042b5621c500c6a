#!/usr/bin/env bash
# A Slurm of one node, on this machine alone: controller, node and authentication in one folder, listening on loopback.
#
#     tests/slurm/loopback.sh start FOLDER
#     tests/slurm/loopback.sh stop FOLDER
#
# Needs root and Debian's packages slurm-wlm and munge. Outside FOLDER only a link /etc/slurm/slurm.conf is made, where
# there is none, and removed again: jobs forget SLURM_CONF.
set -euo pipefail

folder=$(realpath -m "${2:?usage: $0 start|stop FOLDER}")
link=/etc/slurm/slurm.conf

stop() {
  if [ "$(readlink "$link")" = "$folder/slurm.conf" ]; then
    rm "$link"
  fi
  for name in slurmd slurmctld munged; do
    if [ -f "$folder/$name.pid" ]; then
      kill "$(cat "$folder/$name.pid")" 2>/dev/null || true
    fi
  done
}

start() {
  if [ -e "$link" ]; then
    echo "$link is there already: this machine has a Slurm" >&2
    return 1
  fi
  trap stop ERR
  mkdir -p "$folder"/{state,spool,munge}
  chmod 755 "$folder" "$folder/munge"
  head -c 1024 /dev/urandom > "$folder/munge.key"
  chmod 600 "$folder/munge.key"
  node=$(hostname -s)
  memory=$(($(awk '/MemTotal/ {print $2}' /proc/meminfo) / 1024 - 256))
  ln -sfn "$folder/slurm.conf" "$link"
  cat > "$link" <<EOF
ClusterName=loopback
SlurmctldHost=$node(127.0.0.1)
AuthInfo=socket=$folder/munge/socket
SlurmUser=root
SlurmctldPort=16817
SlurmdPort=16818
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
MinJobAge=600
SchedulerParameters=batch_sched_delay=0,sched_interval=2
NodeName=$node NodeAddr=127.0.0.1 CPUs=$(nproc --all) RealMemory=$memory State=UNKNOWN
PartitionName=loopback Nodes=$node Default=YES MaxTime=INFINITE State=UP
EOF
  munged --force --key-file="$folder/munge.key" --socket="$folder/munge/socket" --pid-file="$folder/munged.pid" \
    --log-file="$folder/munged.log" --seed-file="$folder/munge.seed"
  slurmctld -c
  slurmd -c
  for _ in $(seq 120); do
    if sinfo --noheader --format=%T 2>/dev/null | grep -q idle; then
      return
    fi
    sleep 0.5
  done
  echo "the node did not come up within a minute:" >&2
  tail -n 20 "$folder"/*.log >&2
  stop
  return 1
}

case $1 in
  start | stop) "$1" ;;
  *) echo "usage: $0 start|stop FOLDER" >&2; exit 2 ;;
esac

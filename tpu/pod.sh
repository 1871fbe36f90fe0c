#!/usr/bin/env bash
# A TPU slice of one or many VMs from the queue, which can be taken away and comes back.
set -euo pipefail
type=v5litepod-16
pause=30
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<'END'
usage: tpu/pod.sh ACTION NAME --bucket gs://BUCKET [OPTIONS] [-- OPTIONS OF train.py]

Masks a task on a slice of TPU VMs that is requested from the queue. Actions:
  create    request the slice
  wait      until it is there
  install   put the commit that is checked out here on all its VMs
  run       train on all of them; the same command again resumes from the last checkpoint
  keep      all of these; again after each preemption, and delete once the run is finished
  fetch     copy what is in the bucket to runs/NAME here
  delete    delete the slice and its request; it costs money until then

Options:
  --bucket ADDRESS    gets checkpoints, compiled programs and the finished run
  --spot              cheaper, and may be preempted
  --type TYPE         accelerator type (v5litepod-16: four VMs with four chips each)
  --zone ZONE         where (europe-west4-b); the bucket is best in the same region
  --project PROJECT   the Google Cloud project; by default that of gcloud
  --version VERSION   runtime version; by default the one for the type
  --dry-run           print every command and run none; `keep` is shown with one preemption

example: tpu/pod.sh keep sst2 --spot --bucket gs://mine -- --config configs/tasks.py:sst2
END
}

queued() {
  call gcloud compute tpus queued-resources "$@" "${place[@]}"
}

create() {
  queued create "$name" --node-id="$name" --accelerator-type="$type" \
    --runtime-version="$version" ${spot[@]+"${spot[@]}"}
}

delete() {
  queued delete "$name" --force --quiet
}

# Asks for the state of the request: NONE if there is none. A dry run prints a made-up state instead.
look() {
  local ask=(gcloud compute tpus queued-resources describe "$name" '--format=value(state.state)')
  show "${ask[@]}" "${place[@]}"
  if $dry_run; then
    state=${story[0]}
    story=("${story[@]:1}")
    printf '# %s\n' "$state"
  else
    state=$("${ask[@]}" "${place[@]}") || state=NONE
  fi
}

# With --hosts auto the VMs train one run; JAX finds out who they are. Checkpoints and compiled
# programs go to the bucket, for a disk goes with its VM, all hosts write and read the checkpoints,
# and the first one keeps the programs for all. That host also writes the run folder.
run() {
  train "MASKJAX_COMPILE_CACHE=$bucket/compiled " \
    --hosts auto --train.checkpoints "$bucket/$name/checkpoints" ${words[@]+"${words[@]}"} &&
    [ "${story[0]-}" != SUSPENDED ] &&
    on_workers 0 "gcloud storage rsync --recursive runs/$name $bucket/$name/run"
}

wait_for_it() {
  while look && [ "$state" != ACTIVE ]; do
    case $state in NONE | FAILED | SUSPENDED) fail "$name: the request is $state" ;; esac
    sleep "$pause"
  done
}

# A preempted slice counts as active for a moment, so its state is asked for after a pause.
keep() {
  local failed=false
  while look; do
    case $state in
      NONE) create ;;
      SUSPENDED)
        delete
        create
        failed=false
        ;;
      ACTIVE)
        ! $failed || fail "$name: training failed, and the slice is still there"
        ! { install && run; } || break
        failed=true
        ;;
      FAILED) fail "$name: the request failed; gcloud's describe says why" ;;
    esac
    $dry_run || sleep "$pause"
  done
  delete
}

read_options "$@"
[[ $bucket == gs://?* || $action == delete ]] ||
  fail "--bucket: expected gs://BUCKET, got '$bucket'; a preempted VM loses its disk"
bucket=${bucket%/}

story=()
case $action in
  create | install | run | delete) "$action" ;;
  wait)
    ! $dry_run || story=(ACTIVE)
    wait_for_it
    ;;
  keep)
    ! $dry_run || story=(NONE ACTIVE SUSPENDED ACTIVE)
    keep
    ;;
  fetch) call gcloud storage rsync --recursive "$bucket/$name/run" "runs/$name" ;;
  *) fail "$action: no such action; expected create, wait, install, run, keep, fetch or delete" ;;
esac

#!/usr/bin/env bash
# One TPU VM, paid for by the hour until it is deleted.
set -euo pipefail
type=v5litepod-8
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<'END'
usage: tpu/vm.sh ACTION NAME [OPTIONS] [-- OPTIONS OF train.py]

Masks a task on a TPU VM. Actions, in this order:
  create    make the VM
  install   put the commit that is checked out here on it, with Python, JAX and libtpu
  run       train; the same command again resumes a run that was stopped
  fetch     copy the run folder to runs/NAME here
  delete    delete the VM with its disk; it costs money until then

Options:
  --type TYPE         accelerator type (v5litepod-8)
  --zone ZONE         where (europe-west4-b)
  --project PROJECT   the Google Cloud project; by default that of gcloud
  --version VERSION   runtime version; by default the one for the type
  --dry-run           print every command and run none

example: tpu/vm.sh run sst2 -- --config configs/tasks.py:sst2
END
}

read_options "$@"
[ ${#spot[@]} -eq 0 ] || fail "--spot: a VM that can be taken away is made by tpu/pod.sh"
[ -z "$bucket" ] || fail "--bucket: a VM keeps its disk; buckets are for tpu/pod.sh"

case $action in
  create) tpu_vm create "$name" --accelerator-type="$type" --version="$version" ;;
  install) install ;;
  run) train '' ${words[@]+"${words[@]}"} ;;
  fetch)
    call mkdir -p runs
    tpu_vm scp --recurse "$name:runs/$name" runs --worker=0
    ;;
  delete) tpu_vm delete "$name" --quiet ;;
  *) fail "$action: no such action; expected create, install, run, fetch or delete" ;;
esac

# What vm.sh and pod.sh have in common: their options, how commands are shown, what a VM runs.
# shellcheck shell=bash disable=SC2034,SC2154 # variables that the one sets and the other reads

dry_run=false
zone=europe-west4-b
project=
version=
bucket=
spot=()
words=()

fail() {
  printf 'error: %s\n' "$1" >&2
  exit 2
}

# read_options ACTION NAME [OPTIONS] [-- TRAIN OPTIONS]
read_options() {
  case ${1-} in
    -h | --help) usage && exit 0 ;;
    '') usage >&2 && exit 2 ;;
  esac
  action=$1
  name=${2-}
  [[ $name =~ ^[a-z]([-a-z0-9]*[a-z0-9])?$ ]] ||
    fail "NAME: expected small letters, digits and hyphens, such as sst2, got '$name'"
  shift 2
  while [ $# -gt 0 ]; do
    case $1 in
      --dry-run) dry_run=true ;;
      --spot) spot=(--spot) ;;
      --) shift && words=("$@") && break ;;
      --zone | --project | --type | --version | --bucket)
        [ $# -gt 1 ] || fail "$1: expected a value after it"
        printf -v "${1#--}" '%s' "$2"
        shift
        ;;
      *) fail "$1: no such option; --help lists them, and those of train.py come after --" ;;
    esac
    shift
  done
  [ -n "$version" ] || version=$(runtime_of "$type")
  place=(--zone="$zone")
  [ -z "$project" ] || place+=(--project="$project")
}

# https://cloud.google.com/tpu/docs/runtimes
runtime_of() {
  case $1 in
    v6e-*) echo v2-alpha-tpuv6e ;;
    v5p-*) echo v2-alpha-tpuv5 ;;
    v5litepod-*) echo v2-alpha-tpuv5-lite ;;
    v4-* | v3-* | v2-*) echo tpu-ubuntu2204-base ;;
    *) fail "--type $1: no runtime is known for it, give its --version" ;;
  esac
}

# Prints a command as it can be pasted.
show() {
  local word line=
  for word in "$@"; do
    case $word in
      *[!A-Za-z0-9_./:=@%+,~-]* | '') line+=" '${word//\'/\'\\\'\'}'" ;;
      *) line+=" $word" ;;
    esac
  done
  printf '%s\n' "${line# }"
}

# Prints a command, and runs it unless this is a dry run.
call() {
  show "$@"
  $dry_run || "$@"
}

tpu_vm() {
  call gcloud compute tpus tpu-vm "$@" "${place[@]}"
}

on_workers() {
  tpu_vm ssh "$name" --worker="$1" --command="$2"
}

# The commit that is checked out goes to every worker. The runtimes come with Python 3.10, which is
# too old, so uv brings another one; etils' extra lets JAX and orbax read and write gs://.
install() {
  local archive=${TMPDIR:-/tmp}/maskjax-$name.tar.gz
  call git -C "$(dirname "${BASH_SOURCE[0]}")/.." archive --output="$archive" HEAD &&
    tpu_vm scp "$archive" "$name:maskjax.tar.gz" --worker=all &&
    on_workers all "set -e
mkdir -p maskjax
tar -xzf maskjax.tar.gz -C maskjax
python3 -m pip install --quiet --user uv
~/.local/bin/uv venv --quiet --allow-existing --python 3.12 environment
~/.local/bin/uv pip install --quiet --python environment/bin/python \
  'jax[tpu]' 'etils[epath-gcs]' -e maskjax"
}

# train ENVIRONMENT OPTIONS: on all chips; the same command starts a run and resumes it.
train() {
  local line
  line=$(printf '%q ' python train.py --require-accelerator --out "../runs/$name" \
    --mesh.data=-1 "${@:2}")
  on_workers all "cd maskjax && $1../environment/bin/${line% }"
}

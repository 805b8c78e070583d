#!/bin/sh
# NVIDIA's control program for tests: "-d" starts a service, words on its input go to that service.
# Like the real one it fails where no service listens in $CUDA_MPS_PIPE_DIRECTORY.
pipes=$CUDA_MPS_PIPE_DIRECTORY
if [ "$1" = -d ]; then
    [ -e "$pipes/control" ] && { echo "An instance of this daemon is already running" >&2; exit 1; }
    echo "$CUDA_VISIBLE_DEVICES" >"$pipes/control"
    stat -f -c %T /dev/shm >"$pipes/shm"
    touch "/dev/shm/service-of-$CUDA_VISIBLE_DEVICES"
    exit 0
fi
[ -e "$pipes/control" ] || { echo "Cannot find MPS control daemon process" >&2; exit 1; }
while read -r words; do
    echo "$words" >>"$pipes/heard"
    [ "$words" = quit ] && rm "$pipes/control"
done
exit 0

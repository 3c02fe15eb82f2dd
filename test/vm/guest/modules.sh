# What a development host often lacks: vhost threads, device-mapper, disks to limit, one of them with weights.
modprobe --all vhost_net vhost_vsock dm-mod loop bfq
modprobe null_blk nr_devices=2
echo bfq >/sys/block/nullb1/queue/scheduler

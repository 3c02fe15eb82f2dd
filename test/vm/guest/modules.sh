# What a development host often lacks: vhost threads, device-mapper, disks to limit, one of them with weights. Ends with
# an error where one of them does not come, but for those that the boot is known to lack (VMCG_LACKS, with commas).
missing=
for module in vhost_net vhost_vsock tun dm-mod loop bfq 'null_blk nr_devices=2'; do
  case ",$VMCG_LACKS," in
    *",${module%% *},"*) ;;
    *) modprobe $module || missing="$missing ${module%% *}" ;;
  esac
done
[ ! -e /sys/block/nullb1 ] || echo bfq >/sys/block/nullb1/queue/scheduler || missing="$missing bfq for null_blk"
[ -z "$missing" ] || { echo "this boot lacks:$missing" >&2; false; }

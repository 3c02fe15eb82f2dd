package main

import (
	"strconv"

	"github.com/opencontainers/runc/libcontainer/cgroups"
	"github.com/opencontainers/runc/libcontainer/cgroups/fs"
	"github.com/opencontainers/runc/libcontainer/configs"
	"serve"
)

// Arguments: the folders to make sandboxes in, the CPUs, the memory nodes.
func adopt(args []string) {
	serve.Orders(func(words []string) func(string) {
		vms := serve.Connect(words)
		return func(string) {
			for i, vm := range vms {
				adoptOne(vm, args[0], "/"+strconv.Itoa(i), args[1], args[2])
			}
		}
	})
}

func adoptOne(vm *serve.VM, parents, name, cpus, nodes string) {
	tids := vm.Vcpus()
	sandbox := newManager(folders(parents, name), &configs.Resources{
		CpuShares: 2048, CpusetCpus: cpus, CpusetMems: nodes, SkipDevices: true,
	})
	apply(sandbox, vm.Pid)
	leaf := newManager(folders(parents, name+"/vcpu"), &configs.Resources{
		CpuShares: uint64(1024 * len(tids)), CpuQuota: 200000, CpusetCpus: cpus, CpusetMems: nodes, SkipDevices: true,
	})
	apply(leaf, -1)
	for _, folder := range leaf.GetPaths() {
		addThreads(folder, "tasks", tids)
	}
}

func newManager(paths map[string]string, resources *configs.Resources) cgroups.Manager {
	manager, err := fs.NewManager(&configs.Cgroup{Resources: resources}, paths)
	serve.Check(err)
	return manager
}

// A pid of -1 makes the cgroups only.
func apply(manager cgroups.Manager, pid int) {
	serve.Check(manager.Apply(pid))
	cgroup, err := manager.GetCgroups()
	serve.Check(err)
	serve.Check(manager.Set(cgroup.Resources))
}

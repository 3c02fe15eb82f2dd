package main

import (
	"strconv"

	"github.com/containerd/cgroups"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"serve"
)

// Arguments: the controllers, the cgroup to make sandboxes in, the CPUs, the memory nodes.
func adopt(args []string) {
	serve.Orders(func(words []string) func(string) {
		vms := serve.Connect(words)
		return func(string) {
			for i, vm := range vms {
				adoptOne(vm, args[0], args[1]+"/"+strconv.Itoa(i), args[2], args[3])
			}
		}
	})
}

func adoptOne(vm *serve.VM, controllers, path, cpus, nodes string) {
	tids := vm.Vcpus()
	shares, leafShares, quota := uint64(2048), uint64(1024*len(tids)), int64(200000)
	sandbox, err := cgroups.New(hierarchy(controllers), cgroups.StaticPath(path), &specs.LinuxResources{
		CPU: &specs.LinuxCPU{Shares: &shares, Cpus: cpus, Mems: nodes},
	})
	serve.Check(err)
	leaf, err := sandbox.New("vcpu", &specs.LinuxResources{
		CPU: &specs.LinuxCPU{Shares: &leafShares, Quota: &quota, Cpus: cpus, Mems: nodes},
	})
	serve.Check(err)
	serve.Check(sandbox.AddProc(uint64(vm.Pid)))
	addThreads(leaf, tids)
}

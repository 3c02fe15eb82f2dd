package main

import (
	"github.com/containerd/cgroups"
	"serve"
)

// Arguments: the controller, and the cgroups to and from which the threads go.
func migrate(args []string) {
	to := []cgroups.Cgroup{load(args[0], args[1]), load(args[0], args[2])}
	serve.Orders(func(words []string) func(string) {
		tids := serve.Numbers(words)
		return func(order string) { addThreads(to[serve.Number(order)], tids) }
	})
}

// Arguments: the controllers, and the sandbox's cgroup.
func place(args []string) {
	sandbox, leaf := load(args[0], args[1]), load(args[0], args[1]+"/vcpu")
	serve.Orders(func(words []string) func(string) {
		ids := serve.Numbers(words)
		return func(string) {
			serve.Check(sandbox.AddProc(uint64(ids[0])))
			addThreads(leaf, ids[1:])
		}
	})
}

// Arguments: the controllers, and the sandbox's cgroup.
func hotplug(args []string) {
	leaf := load(args[0], args[1]+"/vcpu")
	serve.Orders(func(words []string) func(string) {
		vm := serve.Connect(words)[0]
		return func(string) {
			tids := vm.Vcpus()
			addThreads(leaf, tids[len(tids)-1:])
		}
	})
}

// Arguments: the controllers, the cgroup, and the program `stamp`.
func launch(args []string) {
	cgroup := load(args[0], args[1])
	serve.Launches(func([]string) func(string) float64 {
		return func(string) float64 {
			return serve.Launch(args[2], func(pid int) error { return cgroup.AddProc(uint64(pid)) })
		}
	})
}

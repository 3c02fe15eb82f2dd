package main

import (
	"github.com/opencontainers/runc/libcontainer/cgroups"
	"serve"
)

// Arguments: the file that takes threads, and the folders to and from which they go.
func migrate(args []string) {
	serve.Orders(func(words []string) func(string) {
		tids := serve.Numbers(words)
		return func(order string) { addThreads(args[1+serve.Number(order)], args[0], tids) }
	})
}

// Argument: the sandbox's folders.
func place(args []string) {
	sandbox, leaf := folders(args[0], ""), folders(args[0], "/vcpu")
	serve.Orders(func(words []string) func(string) {
		ids := serve.Numbers(words)
		return func(string) {
			serve.Check(cgroups.EnterPid(sandbox, ids[0]))
			for _, folder := range leaf {
				addThreads(folder, "tasks", ids[1:])
			}
		}
	})
}

// Argument: the sandbox's folders.
func hotplug(args []string) {
	leaf := folders(args[0], "/vcpu")
	serve.Orders(func(words []string) func(string) {
		vm := serve.Connect(words)[0]
		return func(string) {
			tids := vm.Vcpus()
			for _, folder := range leaf {
				addThreads(folder, "tasks", tids[len(tids)-1:])
			}
		}
	})
}

// Arguments: the cgroup's folders, and the program `stamp`.
func launch(args []string) {
	cgroup := folders(args[0], "")
	serve.Launches(func([]string) func(string) float64 {
		return func(string) float64 {
			return serve.Launch(args[1], func(pid int) error { return cgroups.EnterPid(cgroup, pid) })
		}
	})
}

package main

import (
	"github.com/containerd/cgroups"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"serve"
)

// Argument: the controllers. First line: the sandboxes' cgroups.
func stats(args []string) {
	serve.Orders(func(words []string) func(string) {
		var all []cgroups.Cgroup
		for _, path := range words {
			all = append(all, load(args[0], path), load(args[0], path+"/vcpu"))
		}
		return func(string) {
			for _, cgroup := range all {
				_, err := cgroup.Stat()
				serve.Check(err)
			}
		}
	})
}

// Argument: the cgroup.
func setDevices(args []string) {
	cgroup := load("devices", args[0])
	serve.Orders(func(words []string) func(string) {
		sets := serve.RuleSets(words)
		resources := []*specs.LinuxResources{withDevices(sets[0]), withDevices(sets[1])}
		return func(order string) { serve.Check(cgroup.Update(resources[serve.Number(order)])) }
	})
}

func withDevices(rules []serve.Rule) *specs.LinuxResources {
	resources := &specs.LinuxResources{}
	for _, rule := range rules {
		major, minor := rule.Major, rule.Minor
		resources.Devices = append(resources.Devices, specs.LinuxDeviceCgroup{
			Allow: rule.Allow, Type: string(rule.Type), Major: &major, Minor: &minor, Access: rule.Access,
		})
	}
	return resources
}

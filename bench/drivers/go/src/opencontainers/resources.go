package main

import (
	"github.com/opencontainers/runc/libcontainer/cgroups"
	"github.com/opencontainers/runc/libcontainer/configs"
	"github.com/opencontainers/runc/libcontainer/devices"
	"serve"
)

// First line: the sandboxes' folders, each in the form of the other trials' argument.
func stats([]string) {
	serve.Orders(func(words []string) func(string) {
		var all []cgroups.Manager
		for _, word := range words {
			for _, below := range []string{"", "/vcpu"} {
				all = append(all, newManager(folders(word, below), &configs.Resources{SkipDevices: true}))
			}
		}
		return func(string) {
			for _, manager := range all {
				_, err := manager.GetStats()
				serve.Check(err)
			}
		}
	})
}

// Argument: the cgroup's folder, as devices=/….
func setDevices(args []string) {
	manager := newManager(folders(args[0], ""), &configs.Resources{})
	serve.Orders(func(words []string) func(string) {
		sets := serve.RuleSets(words)
		resources := []*configs.Resources{withDevices(sets[0]), withDevices(sets[1])}
		return func(order string) { serve.Check(manager.Set(resources[serve.Number(order)])) }
	})
}

func withDevices(rules []serve.Rule) *configs.Resources {
	resources := &configs.Resources{}
	for _, rule := range rules {
		resources.Devices = append(resources.Devices, &devices.Rule{
			Allow: rule.Allow, Type: devices.Type(rule.Type), Major: rule.Major, Minor: rule.Minor,
			Permissions: devices.Permissions(rule.Access),
		})
	}
	return resources
}

// Command containerd does the bench's trials with github.com/containerd/cgroups. Arguments: the
// trial, and what its function says; controllers are given as one word, separated by commas, and
// cgroups as paths below their hierarchy.
package main

import (
	"log"
	"os"
	"strings"

	"github.com/containerd/cgroups"
	"serve"
)

var trials = map[string]func(args []string){
	"migrate": migrate,
	"place":   place,
	"adopt":   adopt,
	"hotplug": hotplug,
	"launch":  launch,
	"stats":   stats,
	"devices": setDevices,
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 2 || trials[os.Args[1]] == nil {
		log.Fatal("usage: containerd TRIAL ARGUMENT...")
	}
	trials[os.Args[1]](os.Args[2:])
}

// hierarchy has the controllers that are wanted, in the library's own order.
func hierarchy(controllers string) cgroups.Hierarchy {
	return func() ([]cgroups.Subsystem, error) {
		all, err := cgroups.V1()
		var found []cgroups.Subsystem
		for _, subsystem := range all {
			for _, name := range strings.Split(controllers, ",") {
				if string(subsystem.Name()) == name {
					found = append(found, subsystem)
				}
			}
		}
		return found, err
	}
}

func load(controllers, path string) cgroups.Cgroup {
	cgroup, err := cgroups.Load(hierarchy(controllers), cgroups.StaticPath(path))
	serve.Check(err)
	return cgroup
}

func addThreads(cgroup cgroups.Cgroup, tids []int) {
	for _, tid := range tids {
		serve.Check(cgroup.AddTask(cgroups.Process{Pid: tid}))
	}
}

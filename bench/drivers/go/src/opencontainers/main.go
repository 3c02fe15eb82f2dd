// Command opencontainers does the bench's trials with runc's libcontainer. Arguments: the trial, and
// what its function says; cgroups are given as folders, one for each hierarchy in one word, such as
// cpu=/sys/fs/cgroup/cpu/a,cpuset=/sys/fs/cgroup/cpuset/a.
package main

import (
	"log"
	"os"
	"strconv"
	"strings"

	"github.com/opencontainers/runc/libcontainer/cgroups"
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
		log.Fatal("usage: opencontainers TRIAL ARGUMENT...")
	}
	trials[os.Args[1]](os.Args[2:])
}

// folders are by controller, each with what is below it.
func folders(word, below string) map[string]string {
	found := map[string]string{}
	for _, entry := range strings.Split(word, ",") {
		controller, folder, _ := strings.Cut(entry, "=")
		found[controller] = folder + below
	}
	return found
}

// The library knows processes only; for single threads its users write with its WriteFile.
func addThreads(folder, file string, tids []int) {
	for _, tid := range tids {
		serve.Check(cgroups.WriteFile(folder, file, strconv.Itoa(tid)))
	}
}

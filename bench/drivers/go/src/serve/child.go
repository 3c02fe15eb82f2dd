package serve

import (
	"bytes"
	"io"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Launch starts the program `stamp` as container runtimes start theirs: the child waits, is put
// into its cgroups from outside, and then executes. Returns the microseconds from the start to the
// first instruction after that.
func Launch(stamp string, place func(pid int) error) float64 {
	var now unix.Timespec
	Check(unix.ClockGettime(unix.CLOCK_MONOTONIC, &now))
	child := exec.Command(stamp, "wait")
	var out bytes.Buffer
	child.Stdout = &out
	begin, err := child.StdinPipe()
	Check(err)
	Check(child.Start())
	Check(place(child.Process.Pid))
	_, err = io.WriteString(begin, "\n")
	Check(err)
	Check(child.Wait())
	began, err := strconv.ParseFloat(strings.TrimSpace(out.String()), 64)
	Check(err)
	return began - float64(now.Nano())/1e3
}

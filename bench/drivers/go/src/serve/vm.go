package serve

import (
	"bufio"
	"encoding/json"
	"net"
	"strconv"
	"strings"
)

// Number reads one that the bench has written.
func Number(text string) int {
	number, err := strconv.Atoi(text)
	Check(err)
	return number
}

// Numbers reads a list of them.
func Numbers(words []string) []int {
	numbers := make([]int, len(words))
	for i, word := range words {
		numbers[i] = Number(word)
	}
	return numbers
}

// VM is one whose monitor is connected.
type VM struct {
	Pid     int
	socket  net.Conn
	answers *bufio.Reader
}

// Connect takes words of the form pid:socket.
func Connect(words []string) []*VM {
	vms := make([]*VM, len(words))
	for i, word := range words {
		pid, path, _ := strings.Cut(word, ":")
		socket, err := net.Dial("unix", path)
		Check(err)
		vms[i] = &VM{Pid: Number(pid), socket: socket, answers: bufio.NewReader(socket)}
		vms[i].answer()
		vms[i].ask("qmp_capabilities")
	}
	return vms
}

func (vm *VM) answer() []byte {
	line, err := vm.answers.ReadBytes('\n')
	Check(err)
	return line
}

func (vm *VM) ask(command string) []byte {
	_, err := vm.socket.Write([]byte(`{"execute":"` + command + `"}` + "\n"))
	Check(err)
	return vm.answer()
}

// Vcpus asks for the threads of the VM's vCPUs, in their order.
func (vm *VM) Vcpus() []int {
	var reply struct {
		Return []struct {
			ThreadID int `json:"thread-id"`
		}
	}
	Check(json.Unmarshal(vm.ask("query-cpus-fast"), &reply))
	tids := make([]int, len(reply.Return))
	for i, cpu := range reply.Return {
		tids[i] = cpu.ThreadID
	}
	return tids
}

// Package serve is a driver's side of its pipe, as in ../../../serve.mjs, for the drivers in Go.
package serve

import (
	"bufio"
	"fmt"
	"log"
	"os"
	"strings"
	"time"
)

// Check ends the driver.
func Check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// Orders takes the first line, prepares with its words, and carries out an order for each line that
// follows. What it answers is the microseconds that the order took.
func Orders(prepare func(words []string) func(order string)) {
	Launches(func(words []string) func(order string) float64 {
		carryOut := prepare(words)
		return func(order string) float64 {
			start := time.Now()
			carryOut(order)
			return float64(time.Since(start).Nanoseconds()) / 1e3
		}
	})
}

// Launches is for orders that take their time themselves.
func Launches(prepare func(words []string) func(order string) float64) {
	// A list of tens of thousands of tids is one line.
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	first, err := lines.ReadString('\n')
	Check(err)
	carryOut := prepare(strings.Fields(first))
	fmt.Println("ready")
	for {
		order, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		fmt.Printf("%.3f\n", carryOut(strings.TrimSpace(order)))
	}
}

package serve

import "strings"

// Rule is one line of devices.allow or devices.deny: `+c 1:3 rwm`, or `-a` for all.
type Rule struct {
	Allow  bool
	Type   byte
	Major  int64
	Minor  int64
	Access string
}

// Any is a major or minor number that was given as `*`, or not at all.
const Any = -1

// RuleSets reads two lists of rules, separated by `|`, whose rules are separated by `,`.
func RuleSets(words []string) [2][]Rule {
	first, second, _ := strings.Cut(strings.Join(words, " "), "|")
	return [2][]Rule{rules(first), rules(second)}
}

func rules(list string) []Rule {
	var found []Rule
	for _, text := range strings.Split(list, ",") {
		rule := Rule{Allow: text[0] == '+', Type: text[1], Major: Any, Minor: Any, Access: "rwm"}
		if fields := strings.Fields(text[1:]); len(fields) == 3 {
			major, minor, _ := strings.Cut(fields[1], ":")
			rule.Major, rule.Minor, rule.Access = device(major), device(minor), fields[2]
		}
		found = append(found, rule)
	}
	return found
}

func device(text string) int64 {
	if text == "*" {
		return Any
	}
	return int64(Number(text))
}

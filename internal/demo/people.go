package demo

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"curfew/revoke"
)

// person is somebody of the imitation school. All of them are invented.
type person struct {
	given, family string
	login         string // the e-mail address
	group         string
	okta          string // the id at the provider: SCIM sends it as externalId, the event hook as a target's id
	resource      string // the SCIM id, once Curfew has said it
	gadgets       []gadget
}

// sally is whom the story is about.
func sally() *person {
	return &person{given: "Sally", family: "Example", login: student, group: "Year 9", okta: "00u1sally2demo3only4"}
}

// gadget is a device with what is signed in on it.
type gadget struct {
	id, name, platform, agent string
	kind                      revoke.Kind
	apps                      []string
	age                       time.Duration // since it signed in
	used                      bool          // since the demo began
}

// The groups of the school. Whoever leaves it is of the oldest year.
const (
	juniors = "Year 7"
	leavers = "Year 11"
	staff   = "Teachers"
	office  = "Office"
)

// school is how many people each group has of a whole school of 500, with Sally, whom the story brings.
var school = []struct {
	group  string
	people int
}{{juniors, 75}, {"Year 8", 75}, {"Year 9", 74}, {"Year 10", 75}, {leavers, 75}, {"Sixth form", 62}, {staff, 48}, {office, 15}}

const given = `Aisha Adam Amelia Andrzej Anna Anton Bea Ben Carlos Chloe Clara Daisy Daniel David Dina Elena Elif Emma Erik Esther
Fatima Felix Finn Freya George Grace Hamza Hannah Harry Hugo Ibrahim Imani Ingrid Isla Ivan Jack James Jasmine Joel Jonas Julia
Kai Karim Kofi Lara Leila Leo Lily Lina Luca Lucy Maja Marco Maria Matteo Maya Mia Milan Mina Nadia Naomi Nina Noah Nora Olga
Oliver Omar Oscar Paul Petra Priya Rafael Rania Rosa Ruby Ryan Sam Samir Sara Sofia Stefan Tara Tariq Theo Thomas Tom Uma Victor
Viktoria Wei Yara Yusuf Zara Zoe`

const family = `Abbott Achebe Adeyemi Ahmed Ali Andersen Bailey Baker Banerjee Barnes Becker Bianchi Brooks Campbell Carter Chen Clarke
Cohen Collins Costa Cox Das Davies Diaz Dubois Evans Farah Fischer Fisher Foster Garcia Gill Green Gupta Haas Hall Hansen Harris
Hassan Hill Hoffmann Hughes Hussain Iqbal Ito Jansen Jensen Johansson Jones Kaya Keller Kelly Khan Kim King Klein Kowalski Kumar
Lam Larsen Lee Lewis Lopez Marsh Martin Mensah Meyer Miller Moore Morales Moreau Murphy Nagy Nair Nguyen Novak Okafor Olsen Owusu
Parker Patel Pereira Petrov Price Quinn Rahman Reid Rossi Russo Sanchez Santos Schmidt Shah Shaw Silva Singh Sousa Stewart Suzuki
Tan Taylor Torres Turner Varga Wagner Walker Walsh Wang Ward Weber White Wilson Wood Wright Yilmaz Young Zhang`

// invent makes up the school, the same one each time.
func invent() []*person {
	dice := rand.New(rand.NewPCG(1, 9)) //nolint:gosec // people who are invented, not secrets: they are to be the same each time
	first, last := strings.Fields(given), strings.Fields(family)
	taken := map[string]bool{}
	var people []*person
	for _, g := range school {
		for range g.people {
			p := &person{group: g.group}
			for p.login == "" || taken[p.login] {
				p.given, p.family = first[dice.IntN(len(first))], last[dice.IntN(len(last))]
				p.login = strings.ToLower(p.given+"."+p.family) + "@example.edu"
			}
			taken[p.login] = true
			p.okta = fmt.Sprintf("00u%04ddemo%06x", len(people)+1, dice.IntN(1<<24))
			p.gadgets = outfit(p, dice)
			people = append(people, p)
		}
	}
	return people
}

func (p *person) name() string { return p.given + " " + p.family }

// model is a thing that people carry around.
type model struct {
	what, platform, agent string
	kind                  revoke.Kind
}

var (
	phones = []model{
		{"iPhone", "iOS", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1", revoke.Mobile},
		{"Pixel", "Android", "Mozilla/5.0 (Linux; Android 15; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile Safari/537.36", revoke.Mobile},
		{"Galaxy", "Android", "Mozilla/5.0 (Linux; Android 14; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Mobile Safari/537.36", revoke.Mobile},
	}
	tablets = []model{
		{"iPad", "iPadOS", "Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1", revoke.Mobile},
		{"tablet", "Android", "Mozilla/5.0 (Linux; Android 14; SM-X210) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36", revoke.Mobile},
	}
	laptops = []model{
		{"Chromebook", "ChromeOS", "Mozilla/5.0 (X11; CrOS x86_64 15917.71.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36", revoke.Browser},
		{"MacBook", "macOS", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15", revoke.Browser},
		{"laptop", "Windows", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0", revoke.Browser},
		{"laptop", "Windows", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0", revoke.Browser},
	}
	desks = []model{{"desk", "Windows", "Timetable/4.2 (Windows NT 10.0; Win64; x64)", revoke.Desktop}}
	lines = []model{{"mark sheet", "Linux", "marks-sync/2.1", revoke.API}}
	board = []model{{"classroom board", "Android", "Whiteboard/7.3 (Android 12)", revoke.DeviceKind}}
)

// outfit gives somebody what people of the group have.
func outfit(p *person, dice *rand.Rand) []gadget {
	var out []gadget
	give := func(likely int, models []model, apps ...string) {
		if dice.IntN(100) >= likely {
			return
		}
		m := models[dice.IntN(len(models))]
		out = append(out, gadget{
			id:   strings.ToLower(strings.ReplaceAll(m.what, " ", "-") + "-" + p.okta[3:7] + "-" + strconv.Itoa(len(out)+1)),
			name: p.given + "'s " + m.what, platform: m.platform, agent: m.agent, kind: m.kind, apps: apps,
			age: time.Duration(1+dice.IntN(20*24*60)) * time.Minute, used: dice.IntN(4) == 0,
		})
	}
	switch p.group {
	case staff:
		give(95, laptops, "library", "marks", "timetable")
		give(80, phones, "timetable")
		give(40, lines, "marks")
		give(30, board, "library")
	case office:
		give(100, desks, "timetable")
		give(70, laptops, "marks")
		give(60, phones, "timetable")
	case juniors:
		give(40, phones, "library")
		give(95, laptops, "library")
	default:
		give(85, phones, "library", "timetable")
		give(25, tablets, "library")
		give(90, laptops, "library")
	}
	return out
}

package main

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// TestLibrariesAgree asks the whole server what filters find and what patches make, and libraries that others wrote the same:
// they must agree, and must find in every answer what its schema says and nothing else.
func TestLibrariesAgree(t *testing.T) {
	t.Parallel()
	seeds := []string{"1", "2", "3"}
	folder := t.TempDir()
	r := build(t, "").start(t, configureSchools(t, folder, "sqlite:"+filepath.Join(folder, "curfew.db"), seeds))
	agreed := regexp.MustCompile(`^0 disagreements {"SCIMMY":(\d+),"scim2-parse-filter":(\d+),"scim-patch":(\d+)}\n$`)
	t.Run("seeds", func(t *testing.T) { // returns when those that run beside each other have ended
		for _, seed := range seeds {
			t.Run(seed, func(t *testing.T) {
				t.Parallel()
				argv := nodeScript(t, "agree.mjs", newVendorDoor(t, r, "").URL, schoolSecret(seed, "directory"), seed)
				out, err := exec.CommandContext(t.Context(), argv[0], argv[1:]...).CombinedOutput()
				counts := agreed.FindSubmatch(out)
				if err != nil || counts == nil {
					t.Fatalf("%v\n%s", err, out)
				}
				for i, least := range []int{100, 150, 30} {
					if got, err := strconv.Atoi(string(counts[i+1])); err != nil || got < least {
						t.Errorf("a library was asked %s times, want %d: %s", counts[i+1], least, out)
					}
				}
			})
		}
	})
}

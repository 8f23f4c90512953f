package daemon

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The test binary plays parent and child of the handshake, as PAIL_TEST_ROLE says.
const roleEnv, dirEnv = "PAIL_TEST_ROLE", "PAIL_TEST_DIR"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleEnv); role != "" {
		os.Exit(play(role))
	}
	os.Exit(m.Run())
}

func play(role string) int {
	child, ok := FromParent()
	if !ok {
		err := Background(func(words string) error {
			fmt.Println("confirm", words)
			if role == "refused" {
				return errors.New("the parent refuses")
			}
			if role == "parent dies" {
				os.Exit(7)
			}
			return nil
		})
		if err != nil {
			fmt.Println("parent:", err)
			return 1
		}
		return 0
	}
	if role == "fails" {
		fmt.Fprintln(os.Stderr, "child: no luck")
		return 1
	}
	run, err := Begin(os.Getenv(dirEnv), "name", "source")
	if err != nil {
		return 1
	}
	if err := child.Ready("some words"); err != nil {
		run.End(err)
		return 1
	}
	if role == "killed" {
		select {}
	}
	for { // until the test says so
		if _, err := os.Stat(filepath.Join(os.Getenv(dirEnv), "end")); err == nil {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if role == "ends badly" {
		run.End(errors.New("one file unsent"))
		return 1
	}
	run.End(nil)
	return 0
}

// start runs a parent to its end.
func start(t *testing.T, role string) (dir, output string, exit int) {
	t.Helper()
	dir = t.TempDir()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleEnv+"="+role, dirEnv+"="+dir)
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	return dir, string(text), cmd.ProcessState.ExitCode()
}

func TestParentLeavesWhenChildIsReady(t *testing.T) {
	dir, out, exit := start(t, "works")
	if exit != 0 || out != "confirm some words\n" {
		t.Errorf("exit %d: %s", exit, out)
	}
	waiters := Find(dir, "name")
	if len(waiters) != 1 {
		t.Fatalf("%d run files", len(waiters))
	}
	if st, err := waiters[0].Status(); err != nil || st.Source != "source" || st.Ended {
		t.Errorf("%+v %v", st, err)
	}
	end(t, dir)
	if st, err := waiters[0].Wait(); err != nil || !st.Ended {
		t.Errorf("%+v %v", st, err)
	}
	if left := Find(dir, "name"); len(left) != 0 {
		t.Error("the run file is left")
	}
}

func end(t *testing.T, dir string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "end"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWaiterLearnsWhatStayedUnsent(t *testing.T) {
	dir, _, _ := start(t, "ends badly")
	waiters := Find(dir, "name")
	end(t, dir)
	if len(waiters) != 1 {
		t.Fatalf("%d run files", len(waiters))
	}
	if _, err := waiters[0].Wait(); err == nil || err.Error() != "one file unsent" {
		t.Error(err)
	}
}

func TestWaiterLearnsThatTheDaemonWasKilled(t *testing.T) {
	dir, _, _ := start(t, "killed")
	waiters := Find(dir, "name")
	if len(waiters) != 1 {
		t.Fatalf("%d run files", len(waiters))
	}
	st, err := waiters[0].Status()
	if err != nil {
		t.Fatal(err)
	}
	p, err := os.FindProcess(st.PID)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := waiters[0].Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Error(err)
	}
	if left := Find(dir, "name"); len(left) != 0 {
		t.Error("the run file is left")
	}
}

func TestFailingChildSpeaksForItself(t *testing.T) {
	_, out, exit := start(t, "fails")
	if exit != 1 || !strings.Contains(out, "child: no luck\n") || !strings.Contains(out, ErrFailed.Error()) {
		t.Errorf("exit %d: %s", exit, out)
	}
}

func TestChildDoesNotStayWithoutTheParentsWord(t *testing.T) {
	for role, wantExit := range map[string]int{"refused": 1, "parent dies": 7} {
		t.Run(role, func(t *testing.T) {
			dir, out, exit := start(t, role)
			if exit != wantExit {
				t.Errorf("exit %d: %s", exit, out)
			}
			for _, w := range Find(dir, "name") { // only if the child has not ended yet
				if _, err := w.Wait(); err == nil {
					t.Error("the child stayed")
				}
			}
			if left := Find(dir, "name"); len(left) != 0 {
				t.Error("the run file is left")
			}
		})
	}
}

func TestBeginRemovesWhatTheDeadLeft(t *testing.T) {
	dir := t.TempDir()
	stale := filepath.Join(dir, hash("name")+".1")
	if err := os.WriteFile(stale, []byte(`{"pid":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	run, err := Begin(dir, "name", "source")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stale); !os.IsNotExist(err) {
		t.Error("the stale file is left")
	}
	if err := run.End(nil); err != nil {
		t.Error(err)
	}
}

func TestAwaitReadyRefusesOtherWords(t *testing.T) {
	for _, line := range []string{"", "ready", "stay\n", "hello\n"} {
		if _, err := awaitReady(bufio.NewReader(io.NopCloser(strings.NewReader(line)))); err == nil {
			t.Errorf("%q is taken", line)
		}
	}
}

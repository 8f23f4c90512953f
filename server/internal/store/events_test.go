package store

import (
	"fmt"
	"strings"
	"testing"
)

// received gives the names and keys of the next events.
func received(l *Listener, n int) string {
	var list []string
	for range n {
		e, ok := <-l.Events()
		if !ok {
			list = append(list, "end")
			break
		}
		_, name, _ := strings.Cut(e.Name, ":")
		list = append(list, fmt.Sprintf("%s %s %d", name, e.Key, e.Size))
	}
	return strings.Join(list, ", ")
}

func TestListenersHearOfEachChange(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		l, err := e.Listen(ctx, "b", 100)
		wantErr(t, err, nil)
		other, err := e.Listen(ctx, "c", 100)
		wantErr(t, err, nil)
		e.put("k", data(5, 1))
		_, err = e.CopyObject(ctx, CopyInput{SrcBucket: "b", SrcKey: "k", DstBucket: "b", DstKey: "d/c"})
		wantErr(t, err, nil)
		_, err = e.PutObject(ctx, PutInput{Bucket: "b", Key: "k", Body: strings.NewReader(""), Cond: Conditions{IfNoneMatch: []string{"*"}}})
		wantErr(t, err, ErrPrecondition)
		wantErr(t, e.RenameObject(ctx, RenameInput{Bucket: "b", Src: "k", Dst: "l"}), nil)
		wantErr(t, e.RenameObject(ctx, RenameInput{Bucket: "b", Src: "d/", Dst: "e/"}), nil)
		e.delete("none")
		e.delete("l")
		e.put("m/", nil)
		_, err = e.DeleteDirectory(ctx, "b", DeleteInput{Key: "m/"})
		wantErr(t, err, nil)
		want := "ObjectCreated:Put k 5, ObjectCreated:Copy d/c 5, ObjectRemoved:Rename k 5, ObjectCreated:Rename l 5, " +
			"ObjectRemoved:Rename d/ 0, ObjectCreated:Rename e/ 0, ObjectRemoved:Delete l 5, " +
			"ObjectCreated:Put m/ 0, ObjectRemoved:Delete m/ 0"
		if got := received(l, 9); got != want {
			t.Errorf("%s", got)
		}
		l.Close()
		l.Close()
		if got := received(l, 1); got != "end" || len(other.Events()) != 0 {
			t.Errorf("%s", got)
		}
		other.Close()
		_, err = e.Listen(ctx, "none", 1)
		wantErr(t, err, ErrNoSuchBucket)
	})
}

// A listener that falls behind ends, after what it was still given; nobody waits for it.
func TestListenerThatFallsBehindEnds(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		l, err := e.Listen(ctx, "b", 2)
		wantErr(t, err, nil)
		for i := range 5 {
			e.put(fmt.Sprint(i), nil)
		}
		if got := received(l, 5); got != "ObjectCreated:Put 0 0, ObjectCreated:Put 1 0, end" {
			t.Errorf("%s", got)
		}
		l.Close()
	})
}

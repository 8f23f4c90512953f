package ha

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"pail/integration/harness"
	"pail/integration/load"
)

// postgresImage is the name by which deploy/ knows PostgreSQL's image.
const postgresImage = "postgres:17"

const databasePassword = "abc123"

// importPostgres makes an image of the PostgreSQL that is installed, under the name that deploy/ uses: none can be pulled.
func (n *node) importPostgres() {
	n.t.Helper()
	dir := lab("postgres")
	if _, err := os.Stat(dir); err != nil {
		harness.Command{}.Run(n.t, "testdata/postgres-image.sh", dir)
	}
	n.docker("import", "-c", "USER 999:999", "-c", "VOLUME /var/lib/postgresql/data", "-c", `ENTRYPOINT ["/entrypoint"]`, dir+"/image.tar", postgresImage)
}

// compose is a composition on one host.
type compose struct {
	*node
	file string
}

// startCompose starts what a file of deploy/ composes, with the image as `make image` makes it.
func startCompose(t *testing.T, number int, file string) *compose {
	t.Helper()
	harness.NeedProgram(t, "/usr/bin/docker-compose", "docker-compose")
	harness.NeedProgram(t, "/usr/sbin/dockerd", "docker.io")
	buildImage(t)
	c := &compose{newNode(t, number, ""), "../../deploy/" + file}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(c.run("logs", "--tail", "30"))
		}
	})
	c.docker("load", "-q", "-i", lab("image.tar"))
	if text, err := os.ReadFile(c.file); err != nil || bytes.Contains(text, []byte(postgresImage)) {
		c.importPostgres()
	}
	c.run("up", "-d")
	return c
}

func (c *compose) run(args ...string) string {
	c.t.Helper()
	env := append(c.env(), "POSTGRES_PASSWORD="+databasePassword, "COMPOSE_PROJECT_NAME=s3")
	return harness.Command{Env: env}.Run(c.t, "docker-compose", append([]string{"-f", c.file}, args...)...)
}

// urls are those of the servers that the file publishes.
func (c *compose) urls(n int) (urls []string) {
	for i := range n {
		urls = append(urls, fmt.Sprintf("http://%s:80%d0", address(c.number), i))
	}
	return urls
}

// service names the server i of the file.
func service(i int) string { return "s3-" + string(rune('a'+i)) }

// TestComposeActive starts deploy/compose-active.yml, uses its three servers as one, and kills one.
func TestComposeActive(t *testing.T) {
	c := startCompose(t, 14, "compose-active.yml")
	d := startActiveDrill(t, c.urls(3))
	d.readElsewhere(t)
	d.fail(t, "one of three containers that serve was killed", 1, func() { c.run("kill", service(1)) })
	d.readElsewhere(t, 1)
	c.run("start", service(1))
	d.waitServes(t, 1)
	d.fail(t, "another container was killed, its database being started anew", 0, func() { c.run("kill", service(0), "db"); c.run("start", "db") })
	d.verify(t)
}

// TestCompose starts deploy/compose.yml, an owner and a standby, and kills the owner.
func TestCompose(t *testing.T) {
	c := startCompose(t, 14, "compose.yml")
	d := startDrill(t, c.urls(2))
	for range 2 {
		owner := d.owner(t)
		d.waitStandby(t, 1-owner)
		d.fail(t, "the owner's container was killed (promised: within 2s)", owner, func() { c.run("kill", service(owner)) })
		c.run("start", service(owner))
	}
	d.verify(t)
}

// TestSwarmActive deploys deploy/stack-active.yml with a replica on each host, and kills hosts; the database is on another one.
func TestSwarmActive(t *testing.T) {
	s := newSwarm(t, "", sharedDir(t, lab("shared-active")))
	db := newNode(t, 15, "")
	db.importPostgres()
	db.docker("run", "-d", "-p", "5432:5432", "-e", "POSTGRES_USER=pail", "-e", "POSTGRES_DB=pail", "-e", "POSTGRES_PASSWORD="+databasePassword, postgresImage)
	secret := lab("database")
	if err := os.WriteFile(secret, fmt.Appendf(nil, "postgres://pail:%s@%s/pail", databasePassword, address(db.number)), 0o600); err != nil {
		t.Fatal(err)
	}
	s.nodes[0].docker("secret", "create", "pail_database", secret)
	s.nodes[0].docker("stack", "deploy", "--resolve-image", "never", "-c", hostPorts(t, "stack-active.yml"), "s3")
	d := startActiveDrill(t, s.urls)
	d.readElsewhere(t)
	for victim := 1; victim <= 2; victim++ {
		d.fail(t, "one of three hosts that serve was killed", victim, s.nodes[victim].kill)
		d.readElsewhere(t, victim)
		s.nodes[victim].start()
		d.waitServes(t, victim)
	}
	d.verify(t)
}

// hostPorts gives a stack file whose port each host publishes: the kernel of the tests has no IPVS for the routing mesh.
func hostPorts(t *testing.T, name string) (path string) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/" + name)
	if err != nil {
		t.Fatal(err)
	}
	const mesh = `ports: ["8000:8000"]`
	if !strings.Contains(string(text), mesh) {
		t.Fatalf("%s has no %s", name, mesh)
	}
	path = lab(name)
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), mesh, "ports: [{target: 8000, published: 8000, mode: host}]", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// readElsewhere puts objects through each server and reads them, at once, through each other one.
func (d *drill) readElsewhere(t *testing.T, dead ...int) {
	t.Helper()
	for i, at := range d.clients {
		if len(dead) > 0 && dead[0] == i {
			continue
		}
		key, body := fmt.Sprint("elsewhere", i), load.RandomBytes(uint64(i), 200_000)
		if _, err := at.PutObject(context.Background(), &s3.PutObjectInput{Bucket: aws.String("elsewhere"), Key: &key, Body: bytes.NewReader(body)}); err != nil {
			t.Fatal(err)
		}
		for other, client := range d.clients {
			if len(dead) > 0 && dead[0] == other {
				continue
			}
			if got, err := load.Read(client, "elsewhere", key, nil); !bytes.Equal(got, body) {
				t.Errorf("server %d has %d bytes of what was put through server %d, %v", other, len(got), i, err)
			}
		}
	}
}

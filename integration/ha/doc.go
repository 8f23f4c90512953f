// Package ha kills, cuts off and restarts what a highly available pail runs on, and checks that nothing acknowledged is
// lost: Docker Compose, Swarm on three dockerds, NFS with kernel clients in virtual machines (user-mode Linux), and Ceph's RGW
// below a mount. The tests run with PAIL_HA=1, as root, see `make ha`; they take minutes and print what they measure.
//
// All of it runs in namespaces of its own (processes, network, mounts), which end with the tests however they end.
package ha

/* SPDX-License-Identifier: Apache-2.0 */
/* virtio over PCI (virtio 1.2 §4.1), modern devices only. */
#ifndef DEV_VIRTIO_PCI_TRANSPORT_H
#define DEV_VIRTIO_PCI_TRANSPORT_H

#include "dev/pci/pci.h"
#include "dev/virtio/virtio.h"

/*
 * Puts v into a slot (1 to 31) of host: INTx and MSI-X, one vector a queue and one for
 * configuration changes. The VM owns the transport. -errno with a sentence. Before vm_start().
 */
int virtio_pci_new(struct vm *vm, struct pci_host *host, unsigned slot, struct virtio *v,
		   struct err *err);

#endif

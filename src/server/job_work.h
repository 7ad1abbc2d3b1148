#pragma once

#include "server/jobs.h"

namespace siftsearch::server {

class Service;

/// Does the work of a job: a report on a collection, or an import into it.
Status RunJob(Service& service, const Job& job, bool resume, JobProgress& progress);

}  // namespace siftsearch::server

// One HTTP request at a time, spoken by libcurl; bytes go straight between the network and a file.
#pragma once
